"""A model of the six stages: plain dictionaries, folded from the commands as they lie in the topics.

Written again from what the stages promise, to be compared with what they did: which events each record must have
caused, which commands they asked of each other, and what their tables must hold in the end. Values have the form that
MessagePack gives them, so that a table's entry can be compared as it is.

Which warehouses ship an order is made again only where its pool has a plan. Where it has none, the choice is read from
the event, and checked to be one that the shelves allowed.
"""
