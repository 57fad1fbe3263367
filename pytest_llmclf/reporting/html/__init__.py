"""A run as one page for a browser.

page         what is on it
cases, data  the same as JSON built-ins
thumbnails   thumbnails
document     the page itself: one HTML file
"""
