"""
Table B1: layers of the classifier
==================================

Generated from the network itself. **Report and reproduction.** All layers agree, with
1,975,892 parameters.
"""

import radiosynth
from radiosynth import plotting
from radiosynth.reproduction import figures, published

model = radiosynth.build_classifier()
table = plotting.layer_table(model)
assert table["parameters"][-1] == published.published()["parameters"]["classifier"]

figures.save_table(table, "tableb1_classifier", data=None)
table
