"""An emulated noisy feed-forward network in process, without instruments."""

import numpy as np
from torch import Tensor

from calibration.device import Array, Flags
from hil.devices.emulated_network import EmulatedNetwork, group
from simulators.models.optical import NoisyNetwork


class EmulatedNoisyNetwork(EmulatedNetwork[NoisyNetwork]):
    """A noisy feed-forward network as a device: every reading has noise of its own in every layer.

    Inputs are x0, …; controls are weights and biases by layer, 0.w0_0 (to unit 0 from input 0), …, 0.b0, …;
    outputs are y0, …. Each layer is a device with inputs of its own.

    Args:
        network: with the true levels of noise.
        taps: whether what the inner layers hand on is read too, as taps layer0, layer1, …
        input_limit, control_limit: largest inputs and controls, of either sign.
    """

    def __init__(
        self,
        network: NoisyNetwork,
        *,
        taps: bool = True,
        input_limit: float = 10.0,
        control_limit: float = 10.0,
        sample_rate_Hz: float = 1e3,
        seed: int = 0,
        name: str = "emulated",
    ) -> None:
        names = []
        for k, (outputs, inputs) in enumerate(network.shapes):
            names += [f"{k}.w{row}_{column}" for row in range(outputs) for column in range(inputs)]
            names += [f"{k}.b{row}" for row in range(outputs)]
        super().__init__(
            network,
            group(tuple(f"x{k}" for k in range(network.n_inputs)), -input_limit, input_limit),
            group(tuple(names), -control_limit, control_limit),
            group(tuple(f"y{k}" for k in range(network.n_outputs)), -np.inf, np.inf),
            {"kind": "noisy network", "name": name, "widths": " ".join(map(str, network.widths))},
            sample_rate_Hz,
            seed,
        )
        if len(network.shapes) > 1:
            if taps:
                self.taps = {
                    f"layer{k}": group(tuple(f"a{row}" for row in range(width)), -np.inf, np.inf)
                    for k, width in enumerate(network.widths[1:-1])
                }
            self._adopt(
                [
                    EmulatedNoisyNetwork(
                        network.layer(k),
                        input_limit=input_limit,
                        control_limit=control_limit,
                        sample_rate_Hz=sample_rate_Hz,
                        name=f"{name}, layer {k}",
                    )
                    for k in range(len(network.shapes))
                ]
            )

    def _answer(self, inputs: Tensor, controls: Tensor) -> tuple[Array, Flags, dict[str, Array]]:
        noise = self._model.draw(inputs.shape[:1], self._generator)
        *inner, outputs = self._model.states(inputs, controls, noise)
        taps = {f"layer{k}": values.numpy() for k, values in enumerate(inner)} if self.taps else {}
        return outputs.numpy(), np.zeros(len(inputs), dtype=np.uint8), taps
