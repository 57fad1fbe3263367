"""Datasets that users download themselves, and how they come onto the shelf of imported ones.

archive, archive_zip, archive_tar   other people's archives: names and bytes, nothing is run
member                              one file of an archive, and the limits of what is read
layouts                             how the known data sets are laid out
choosing                            which images are taken
importer                            write them beside the others, all or nothing
"""
