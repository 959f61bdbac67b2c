"""A model of the six stages: plain dictionaries, folded from the commands as they lie in the topics.

Written again from what the stages promise, to be compared with what they did: which events each record must have
caused, which commands they asked of each other, and what their tables must hold in the end. Values have the form that
MessagePack gives them, so that a table's entry can be compared as it is.

The one choice that is not made again is which warehouses ship an order: that is read from the event, and checked to be
one that the shelves allowed.
"""
