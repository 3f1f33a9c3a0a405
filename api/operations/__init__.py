"""What store operations work with beside the formulas.

exclusions.py  who is not counted: rules that are shown, changed and taken back
by_preset.py   the same days as other products define them
exports.py     the counted cells of a store, in pages or as a stream of a file
heatmap.py     how busy each zone was, with its outline
shelf_items.py where items stand
alerts.py      limits that tell when they are passed
today.py       the page of the morning: what is happening, what happened today
pages.py       the pages of exclusions and alerts
"""
