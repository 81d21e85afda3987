"""The thirty-two objects of the demo: eight categories of four, each a list of solids."""

import made
import natural
from solids import normalise

CATEGORIES = {
    "animal": (natural.cow, natural.elephant, natural.giraffe, natural.tortoise),
    "boat": (made.cargo_ship, made.sailing_boat, made.speedboat, made.tugboat),
    "car": (made.beetle, made.bus, made.pickup, made.sedan),
    "chair": (made.armchair, made.dining_chair, made.office_chair, made.windsor_chair),
    "face": (natural.bearded_man, natural.capped_boy, natural.long_haired_woman, natural.short_haired_man),
    "fruit": (natural.apple, natural.banana, natural.grapes, natural.pear),
    "plane": (made.airliner, made.biplane, made.fighter, made.light_plane),
    "table": (made.desk, made.dining_table, made.picnic_table, made.round_table),
}


def catalogue():
    """(category, object, solids) of every object, in order of category and object name."""
    return [(category, make.__name__, normalise(make())) for category, makes in CATEGORIES.items() for make in makes]
