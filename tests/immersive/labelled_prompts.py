"""Prompts with what a person says they name: for measuring precision and recall of understanding.

The first twenty are from the study that chose the method, written before the lexicon and labelled again
with this project's names. A label is a setting, a kind, a time, a weather, a season or a style.
"""

from __future__ import annotations

LABELLED = (
    (
        "a misty pine forest with a wooden cabin beside a frozen lake at dusk",
        "forest pine fog cabin lake dusk",
    ),
    ("a tarn under snow-capped summits at first light", "lake mountains dawn"),
    ("a hut by a brook among conifers, drizzle, late evening", "cabin lake pine rain dusk"),
    (
        "cozy scandinavian living room with a fireplace and a big window",
        "living_room cozy minimal fireplace window",
    ),
    ("a reading nook lined with novels and a leather couch", "library bookshelf sofa"),
    (
        "neon-lit alley in a futuristic metropolis after midnight, wet asphalt",
        "night rain village_street neon_sign",
    ),
    ("sahara at noon with a ruined temple", "desert day ruin"),
    ("a lighthouse on a rocky coast in a storm", "beach rain lighthouse"),
    ("an enchanted wood with giant toadstools and fireflies at night", "forest fantasy mushroom night"),
    (
        "a quiet japanese garden with cherry blossoms and a stone lantern in spring",
        "serene japanese_garden|meadow flower|cherry_tree lantern spring",
    ),
    ("a medieval fortress on a hill at sunset, autumn trees", "mountains dusk autumn castle broadleaf"),
    ("the inside of a gothic cathedral with sun beams", "day"),
    ("a tropical lagoon with palms and white sand", "beach palm"),
    ("abandoned farmhouse in a wheat field, overcast", "eerie cabin meadow overcast"),
    ("a campsite by the water under the milky way", "tent lake night"),
    ("martian valley with red boulders", "desert boulder"),
    ("red maple trees along a canal with a stone bridge", "broadleaf lake bridge"),
    ("my grandmother's kitchen on a sunny morning", "kitchen clear dawn"),
    ("ice hotel bedroom", "bedroom"),
    ("a winding path through lavender towards a windmill", "path flower meadow windmill"),
    (
        "three red chairs around a table in a dining room overlooking the sea",
        "chair dining_table dining_room window",
    ),
    ("a foggy beach with driftwood and a rowboat", "fog beach log boat"),
    ("a snowbound chalet among firs on a starry evening", "snow cabin pine dusk"),
    ("a minimalist bedroom with white curtains and a rug", "minimal bedroom curtain rug"),
    ("an old workshop with a workbench and shelves", "rustic workshop desk bookshelf"),
    ("a gallery of paintings with a bench seat", "gallery picture bench_seat"),
    ("dunes and saguaros under a blazing sun", "desert cactus day"),
    (
        "a lakeside picnic spot with a bench and wildflowers in summer",
        "lake_shore bench flower summer picnic_table",
    ),
    ("a birch grove in autumn with mushrooms and fallen logs", "forest birch autumn mushroom log"),
    ("a bistro with plants, hanging lamps and wooden floorboards", "cafe plant pendant_lamp floor"),
    ("a glade with ferns, boulders and a campfire after dark", "meadow bush boulder campfire night"),
    ("alpine meadow with grazing cows and snowy peaks", "mountain grass mountains cow"),
    ("a study with a desk, a globe and a persian rug at night", "study desk rug night globe"),
    ("a settee beside a crackling hearth in a parlour", "sofa fireplace living_room"),
    ("a jetty on a misty loch with canoes", "dock fog lake boat"),
    ("a dreary moor in the pouring rain", "meadow rain"),
    ("frosty tundra with lonely pines", "snow_field snow pine"),
    ("an emerald lawn with oaks and a picket fence", "grass broadleaf fence"),
    ("a sunlit loft with a grey sofa, a houseplant and two paintings", "day living_room sofa plant picture"),
    ("an opulent library with leather armchairs and a chandelier", "grand library armchair pendant_lamp"),
)
