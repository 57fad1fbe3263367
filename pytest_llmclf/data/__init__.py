"""Readers of data as people have it; `dataset_sources` chooses among them.

entry        what every reader gives: images with their labels and places
left_overs   files and folders that systems leave beside images
folders      a folder a class: splits, wrappers, folders in folders
file_names   labels in file names
manifest     tables of paths and labels
exports      the JSON of labelling tools
"""
