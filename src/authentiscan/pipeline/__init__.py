"""Four phases from one configuration: a baseline a data set, one combined model, every detector on
every data set, and where they look. Finished work is known by the content it was made from.
"""
