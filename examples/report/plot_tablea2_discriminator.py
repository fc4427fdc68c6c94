"""
Table A2: layers of the discriminator
=====================================

Generated from the network itself. **Report and reproduction.** All layers agree, with
231,681 parameters. The output is a logit, positive for images taken to be real; the
probability is its sigmoid.
"""

import radiosynth
from radiosynth import plotting
from radiosynth.reproduction import figures, published

model = radiosynth.build_discriminator()
table = plotting.layer_table(model)
assert table["parameters"][-1] == published.published()["parameters"]["discriminator"]

figures.save_table(table, "tablea2_discriminator", data=None)
table
