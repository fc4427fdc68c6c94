"""
Table A1: layers of the generator
=================================

Generated from the network itself. **Report and reproduction.** All layers agree, with
6,862,272 trainable parameters; the remaining ones are running means and variances of
batch normalisation. The noise vector has 100 components; a dense layer turns it into
512 maps of 7 × 7 pixels, and three of the four transposed convolutions double the size:
7, 14, 28, 56.
"""

import radiosynth
from radiosynth import plotting
from radiosynth.reproduction import figures, published

model = radiosynth.build_generator()
table = plotting.layer_table(model)
assert table["parameters"][-1] == published.published()["parameters"]["generator"]

figures.save_table(table, "tablea1_generator", data=None)
table
