"""
Table A2: layers of the discriminator
=====================================

The architecture, read from the network as it is built. It has 231,681 parameters, as the report's. Its last
number is a logit, positive where it takes an image for real; the probability is the sigmoid of it.
"""

import radiosynth
from radiosynth import plotting
from radiosynth.reproduction import figures, published

model = radiosynth.build_discriminator()
table = plotting.layer_table(model)
assert table["parameters"][-1] == published.published()["parameters"]["discriminator"]

figures.save_table(table, "tablea2_discriminator", data=None)
table
