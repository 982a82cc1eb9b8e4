"""The VISA attributes of a session: which exist for its kind of resource, and their first values."""

from collections.abc import Mapping
from typing import Any

from pyvisa import rname
from pyvisa.attributes import AllSessionTypes, AttributesByID, AttributesPerResource, NotAvailable
from pyvisa.constants import InterfaceType, LineState, ResourceAttribute, StatusCode

_GENERIC: Mapping[ResourceAttribute, Any] = {
    ResourceAttribute.resource_manufacturer_name: "hil",
    ResourceAttribute.resource_manufacturer_id: 0,
    ResourceAttribute.resource_impl_version: 0x00100000,
    ResourceAttribute.read_buffer_size: 4096,
    ResourceAttribute.write_buffer_size: 4096,
    ResourceAttribute.dma_allow_enabled: False,
    ResourceAttribute.asrl_connected: True,
    ResourceAttribute.asrl_cts_state: LineState.asserted,
    ResourceAttribute.asrl_dcd_state: LineState.asserted,
    ResourceAttribute.asrl_dsr_state: LineState.asserted,
    ResourceAttribute.asrl_dtr_state: LineState.asserted,
    ResourceAttribute.asrl_ri_state: LineState.unasserted,
    ResourceAttribute.asrl_rts_state: LineState.asserted,
    ResourceAttribute.asrl_wire_mode: 128,  # VI_ASRL_WIRE_232_DTE
    ResourceAttribute.gpib_ren_state: LineState.asserted,
    ResourceAttribute.gpib_secondary_address: 0xFFFF,  # VI_NO_SEC_ADDR
    ResourceAttribute.is_4882_compliant: True,
    ResourceAttribute.manufacturer_name: "hil",
    ResourceAttribute.model_name: "emulated instrument",
    ResourceAttribute.usb_protocol: 1,  # USB488
    ResourceAttribute.usb_max_interrupt_size: 64,
    ResourceAttribute.tcpip_is_hislip: False,
}


def initial(name: rname.ResourceName, manager: int) -> dict[int, Any]:
    """The attributes of a fresh session to the resource, by number."""
    kind = (name.interface_type_const, name.resource_class)
    present: dict[int, Any] = {}
    for attribute in AttributesPerResource[kind] | AttributesPerResource[AllSessionTypes]:
        if attribute.default is not NotAvailable:
            present[attribute.attribute_id] = attribute.default
        elif attribute.attribute_id in _GENERIC:
            present[attribute.attribute_id] = _GENERIC[ResourceAttribute(attribute.attribute_id)]
    present |= {
        ResourceAttribute.resource_manager_session: manager,
        ResourceAttribute.interface_type: name.interface_type_const,
        ResourceAttribute.interface_instrument_name: f"hil {name.interface_type}",
        ResourceAttribute.resource_class: name.resource_class,
        ResourceAttribute.resource_name: str(name),
    }
    return {int(number): value for number, value in (present | _addressed(name)).items()}


def _addressed(name: rname.ResourceName) -> dict[int, Any]:
    """What the address itself says."""
    parts = {field: getattr(name, field) for field in name._fields}
    found: dict[int, Any] = {}
    if (parts.get("board") or "").isdecimal():
        found[ResourceAttribute.interface_number] = int(parts["board"])
    if name.interface_type_const == InterfaceType.tcpip:
        found[ResourceAttribute.tcpip_address] = parts["host_address"]
        found[ResourceAttribute.tcpip_hostname] = parts["host_address"]
        if "port" in parts:
            found[ResourceAttribute.tcpip_port] = int(parts["port"])
        else:
            found[ResourceAttribute.tcpip_device_name] = parts["lan_device_name"]
    elif name.interface_type_const == InterfaceType.gpib:
        found[ResourceAttribute.gpib_primary_address] = int(parts["primary_address"])
        if parts.get("secondary_address"):
            found[ResourceAttribute.gpib_secondary_address] = int(parts["secondary_address"])
    elif name.interface_type_const == InterfaceType.usb:
        found[ResourceAttribute.manufacturer_id] = int(parts["manufacturer_id"], 0)
        found[ResourceAttribute.model_code] = int(parts["model_code"], 0)
        found[ResourceAttribute.usb_serial_number] = parts["serial_number"]
        found[ResourceAttribute.usb_interface_number] = int(parts["usb_interface_number"])
    return found


def refusal(present: Mapping[int, Any], attribute: int) -> StatusCode | None:
    """Why the attribute cannot be set, or None if it can."""
    if attribute not in present:
        return StatusCode.error_nonsupported_attribute
    known = AttributesByID.get(attribute)
    if known is None or not known.write:
        return StatusCode.error_attribute_read_only
    return None
