"""Several tasks on the same images: which is best, which are shown to be worse, what is hard.

`common_images` settles of which images that is; `ranking` compares every pair of tasks on them;
`difficulty` looks at the images instead of the tasks.
"""
