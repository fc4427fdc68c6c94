"""
Table B1: layers of the classifier
==================================

The architecture, read from the network as it is built. It has 1,975,892 parameters, as the report's.
"""

import radiosynth
from radiosynth import plotting
from radiosynth.reproduction import figures, published

model = radiosynth.build_classifier()
table = plotting.layer_table(model)
assert table["parameters"][-1] == published.published()["parameters"]["classifier"]

figures.save_table(table, "tableb1_classifier", data=None)
table
