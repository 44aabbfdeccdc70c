"""Prompts written and labelled after understanding was tuned on the others; nothing is tuned on these.

Labels as in `labelled_samples`.
"""

from __future__ import annotations

from tests.immersive.labelled_samples import HOUSE, Labels

HELD_OUT: tuple[tuple[str, Labels], ...] = (
    (
        "a mossy stone bridge over a narrow river in a beech forest, late autumn, light rain",
        Labels(
            "forest broadleaf bridge river|lake autumn rain",
            ("bridge on|above river|lake",),
            ("bridge stone",),
        ),
    ),
    (
        "Five white tents in a circle around a bonfire on a snowy plateau under the stars",
        Labels(
            "tent campfire snow|snow_field night",
            ("tent around campfire",),
            ("tent white",),
            ("tent 5",),
            may="mountain snow snow_field",
        ),
    ),
    (
        "an abandoned rowboat on the shore of a foggy lake at daybreak, reeds around it",
        Labels(
            "lake|lake_shore boat reed fog dawn",
            ("boat beside|on lake", "reed around boat|lake"),
            may="eerie lake lake_shore",
        ),
    ),
    (
        "wildflower meadow with a wooden bench under a lone birch, view of distant mountains, spring",
        Labels(
            "meadow flower bench birch mountains spring",
            ("bench under birch",),
            ("bench wooden",),
        ),
    ),
    (
        "a hut made of stone between two tall pines, a well in front of the hut, no path",
        Labels(
            f"{HOUSE} pine well",
            (f"{HOUSE} beside|under pine", f"well in_front_of {HOUSE}"),
            (f"{HOUSE} stone", "pine tall"),
            ("pine 2",),
            absent="path",
        ),
    ),
    (
        "oasis in the desert: a dozen palms around a small pond, a camel resting in the shade",
        Labels(
            "desert palm lake|pond camel",
            ("palm around lake|pond",),
            ("lake|pond small",),
            ("palm 12",),
        ),
    ),
    (
        "A narrow alley in an old town at dusk with lanterns along the walls and a blue bicycle "
        "beside a door",
        Labels(
            "village_street|village|alley|city_square lantern bicycle door dusk",
            ("lantern along wall", "bicycle beside door"),
            ("bicycle blue",),
            may="wall rustic",
        ),
    ),
    (
        "a windy beach in winter with driftwood, a lifeguard tower and waves",
        Labels("beach log tower sea|lake winter"),
    ),
    (
        "a vineyard on a hillside in golden september light, a cart full of grapes beside the path",
        Labels(
            "vineyard|vine|meadow cart grape path autumn dusk", ("cart beside path",), may="meadow mountains"
        ),
    ),
    (
        "Glacier lake between cliffs, overcast, an orange tent beside a big boulder",
        Labels(
            "lake cliff tent boulder overcast",
            ("lake beside cliff", "tent beside boulder"),
            ("tent orange",),
            may="snow_field mountain lake_shore alpine_lake",
        ),
    ),
    (
        "a playground with two swings and a slide, autumn leaves on the ground, nobody around",
        Labels("playground|meadow|garden swing slide autumn", counted=("swing 2",), absent="person|nobody"),
    ),
    (
        "A scholar's study at night: a green lamp on a mahogany desk, a leather chair behind it, books "
        "everywhere",
        Labels(
            "study table_lamp|floor_lamp desk chair|armchair bookshelf|book night",
            ("table_lamp|floor_lamp on desk", "chair|armchair behind desk"),
            ("table_lamp|floor_lamp green", "chair|armchair leather"),
        ),
    ),
    (
        "a bright nursery with a white cot beside the window, a round yellow rug and a teddy bear on a chair",
        Labels(
            "bedroom bright bed|cot window rug bear|teddy chair",
            ("bed|cot beside window", "bear|teddy on chair"),
            ("bed|cot white", "rug round", "rug yellow"),
        ),
    ),
    (
        "rustic tavern with a long wooden counter, three barrels against the wall and a fire in the hearth",
        Labels(
            "cafe|tavern rustic counter barrel fireplace",
            ("barrel beside|along wall",),
            ("counter wooden",),
            ("barrel 3",),
            may="wall",
        ),
    ),
    (
        "a minimalist loft, a black sofa facing a large window, no rug, no pictures",
        Labels(
            "living_room|loft minimal sofa window",
            ("sofa facing window",),
            ("sofa black", "window large"),
            absent="rug picture",
        ),
    ),
    (
        "a pottery studio with shelves of vases along the wall, a workbench and a kiln in the corner",
        Labels(
            "workshop|studio bookshelf|shelf sculpture|vase desk|workbench kiln",
            ("bookshelf|shelf|sculpture|vase along wall",),
            may="wall",
        ),
    ),
    (
        "a cozy attic bedroom, a patchwork quilt on the bed, a lamp beside the bed, snow falling outside",
        Labels(
            "bedroom cozy quilt bed table_lamp|floor_lamp snow",
            ("quilt on bed", "table_lamp|floor_lamp beside bed"),
        ),
    ),
    (
        "a portrait gallery with eight paintings on dark red walls and a velvet bench in the middle",
        Labels(
            "gallery picture bench_seat|bench wall",
            ("picture on wall",),
            ("wall red", "bench_seat|bench fabric"),
            ("picture 8",),
            may="eerie",
        ),
    ),
    (
        "kitchen at sunrise with blue cabinets, a pendant lamp over the table and herbs on the windowsill",
        Labels(
            "kitchen dawn wardrobe|cabinet|counter pendant_lamp dining_table herb|plant window|windowsill",
            ("pendant_lamp above dining_table", "herb|plant on window|windowsill"),
            ("wardrobe|cabinet|counter blue",),
        ),
    ),
    (
        "an airlock of a space station with two orange suits beside the hatch, red warning lights",
        Labels(
            "spaceship_corridor|corridor suit door|hatch|airlock lamp|light|floor_lamp|pendant_lamp",
            ("suit beside door|hatch|airlock",),
            ("lamp|light|floor_lamp|pendant_lamp red",),
            ("suit 2",),
        ),
    ),
)
