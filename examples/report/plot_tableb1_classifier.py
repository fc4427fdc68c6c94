"""
Table B1: layers of the classifier
==================================

The architecture, read from the network as it is built. It has 1,975,892 parameters, as the report's.
"""

from astropy.table import Table

import radiosynth
from radiosynth import experiments, plotting

model = radiosynth.build_classifier()
rows = [
    (layer.name, type(layer).__name__, "×".join(str(n) for n in layer.output.shape[1:]), layer.count_params())
    for layer in model.layers
]
rows.append(("total", "", "", model.count_params()))
assert model.count_params() == experiments.published()["parameters"]["classifier"]

table = Table(rows=rows, names=["layer", "kind", "output", "parameters"])
plotting.save_table(table, "tableb1_classifier", data=None)
table
