"""
Table A1: layers of the generator
=================================

The architecture, read from the network as it is built. It has 6,862,272 trainable parameters, as the
report's. The rest are the running means and variances of the batch normalisations, which are measured.
The noise vector has 100 numbers; a dense layer makes 512 maps of 7 × 7 pixels of it, and three of the four
transposed convolutions double the edge: 7, 14, 28, 56.
"""

import radiosynth
from radiosynth import plotting
from radiosynth.reproduction import figures, published

model = radiosynth.build_generator()
table = plotting.layer_table(model)
assert table["parameters"][-1] == published.published()["parameters"]["generator"]

figures.save_table(table, "tablea1_generator", data=None)
table
