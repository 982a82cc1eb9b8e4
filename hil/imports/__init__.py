"""Files of other programs, read without executing anything in them."""

from hil.imports.brainspy import ChipImport, import_brainspy
from hil.imports.brainspy_data import import_brainspy_data
from hil.imports.data_summary import DataImport, ElectrodeData

__all__ = ["ChipImport", "DataImport", "ElectrodeData", "import_brainspy", "import_brainspy_data"]
