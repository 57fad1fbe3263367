"""How fast the plugin is: against the floor of the same minute, and against its peers.

python -m benchmarks.speed [--quick] [--only CASE ...] [--runs N] [--peers-folder FOLDER]
python -m benchmarks.speed.peers FOLDER           install the peers, once
python -m benchmarks.speed.document FILE          rewrite docs/benchmarks.md from --json FILE
python -m benchmarks.speed.chart FILE SVG       draw the comparison
"""
