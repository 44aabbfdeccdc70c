"""English words and what each becomes in a scene: pure data, matched longest entry first.

Every word of a prompt is one of: an entry here, a function word, or left out. A concept's name is its
identity; the generator's vocabulary decides which concepts a given kind of world can build.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from immersive.generation.grammar_words import FUNCTION_WORDS, NEGATIONS, NUMBERS
from immersive.generation.procedural.vocabulary import SETTINGS, VOCABULARY

# slot -> concept -> "gloss | word, word, two words". The gloss is what sentence meanings are compared with.
_TABLE: dict[str, dict[str, str]] = {
    # Where we are, outdoors. Each is a setting of the outdoor world, or a compound of one.
    "setting": {
        "forest": (
            "a forest with many trees | forest, woods, wood, woodland, grove, copse, thicket, wildwood"
        ),
        "pine_forest": (
            "a pine forest with conifer trees | pine forest, pine wood, pine woods, conifer forest, "
            "evergreen forest, fir forest, spruce forest, taiga, boreal forest"
        ),
        "birch_forest": (
            "a light forest of birch trees | birch forest, birch wood, birch grove, aspen grove"
        ),
        "broadleaf_forest": (
            "a broadleaf forest of oak and maple trees | broadleaf forest, deciduous forest, oak forest, "
            "beech forest, maple forest, oak grove, beech wood"
        ),
        "meadow": (
            "a grassy meadow with wild flowers | meadow, grassland, prairie, field, pasture, lea, plain, "
            "steppe, countryside, hillside, moor, heath, clearing, glade, farmland, park, valley"
        ),
        "oasis": "an oasis with palms in a desert | oasis",
        "graveyard": "a graveyard with tombstones | graveyard, cemetery, churchyard, burial ground",
        "playground": "a playground for children | playground, play area",
        "garden": "a garden with flowers and bushes | garden, flower garden, orchard, yard, backyard",
        "lake_shore": (
            "the shore of a lake | lake shore, lakeside, lakeshore, waterside, riverbank, riverside, "
            "shore of a lake, edge of a lake, banks of a lake, fjord"
        ),
        "desert": (
            "a sandy desert with dunes | desert, dune, sahara, wasteland, mars, martian, "
            "martian landscape, savanna"
        ),
        "mountain": (
            "high rocky mountains | mountain, alps, peak, summit, alpine valley, mountain valley, "
            "highlands, mountain pass, mountainside, ridge, crag, alpine"
        ),
        "beach": (
            "a sandy beach at the sea | beach, shore, seaside, coast, seashore, coastline, bay, cove, "
            "lagoon, island, islet"
        ),
        "snow_field": (
            "a snowy arctic tundra with ice | tundra, arctic, glacier, snow field, snowfield, snowscape, "
            "ice field, polar plain"
        ),
    },
    # Where we are, indoors.
    "room": {
        "living_room": (
            "a living room with a sofa | living room, livingroom, lounge, sitting room, parlour, parlor, "
            "family room, drawing room, den, apartment, flat, loft, salon, home interior, room, interior,"
            " indoors, snug"
        ),
        "bedroom": (
            "a bedroom with a bed | bedroom, bed chamber, bedchamber, guest room, sleeping room, hotel "
            "room, nursery, dormitory, bed room"
        ),
        "library": (
            "a library full of bookshelves | library, reading room, reading nook, reading corner, archive, "
            "bookshop, bookstore, book room"
        ),
        "study": "a study or home office with a desk | study, study room, home office, office, workroom",
        "kitchen": "a kitchen with counters | kitchen, kitchenette, pantry",
        "cafe": (
            "the inside of a coffee shop or restaurant | cafe, café, coffee shop, coffeehouse, coffee "
            "house, bistro, tea room, tearoom, restaurant, diner, pub, tavern, bar, canteen"
        ),
        "dining_room": "a dining room with a table and chairs | dining room, dining hall, breakfast room",
        "workshop": "a workshop with a workbench | workshop, studio, atelier, artist studio, garage",
        "spaceship_corridor": (
            "the corridor of a spaceship | spaceship corridor, starship corridor, corridor, starship, "
            "space station, spaceship interior, corridor of a spaceship, corridor of a starship, "
            "inside a spaceship"
        ),
        "gallery": (
            "an art gallery hall with pictures | gallery, art gallery, museum, museum hall, exhibition, "
            "showroom"
        ),
    },
    # Things. Some are known but built nowhere, so that no likeness of meaning turns them into something else.
    "element": {
        "pine": (
            "pine trees | pine, conifer, spruce, fir, evergreen, cedar, larch, pine tree, fir tree, "
            "spruce tree, christmas tree"
        ),
        "birch": "birch trees | birch, birch tree, aspen",
        "broadleaf": (
            "oak and maple trees | broadleaf, oak, maple, beech, oak tree, maple tree, broadleaf tree, "
            "linden, poplar, willow, elm, apple tree, fruit tree, deciduous tree, beech tree"
        ),
        "dead_tree": "a dead bare tree | dead tree, bare tree, snag, leafless tree",
        "tree": "trees | tree, sapling",
        "palm": "palm trees | palm, palm tree, date palm, coconut tree, coconut palm",
        "cactus": "cactus plants | cactus, cacti, saguaro, succulent",
        "bush": "bushes and shrubs | bush, shrub, hedge, undergrowth, fern, bramble, heather",
        "grass": "grass | grass, lawn, tall grass, turf, tuft",
        "reed": "reeds and rushes | reed, cattail, rush, rushes, sedge, bulrush",
        "flower": (
            "colourful flowers | flower, wildflower, wild flower, blossom, tulip, lavender, poppy, daisy,"
            " rose, bluebell, sunflower"
        ),
        "mushroom": "giant mushrooms | mushroom, toadstool, fungus, fungi",
        "rock": "rocks and stones | rock, stone, pebble, outcrop, scree",
        "boulder": (
            "huge boulders and standing stones | boulder, megalith, standing stone, big rock, menhir, "
            "stone circle"
        ),
        "cliff": "a high cliff | cliff, precipice, cliff face",
        "log": "fallen logs | log, fallen tree, driftwood, fallen log, tree trunk",
        "stump": "tree stumps | stump, tree stump",
        "cabin": (
            "a wooden cabin hut | cabin, log cabin, hut, shack, lodge, chalet, farmhouse, log house, "
            "homestead, croft, hunting lodge, boathouse, shed"
        ),
        "tower": "a tall stone tower | tower, watchtower, turret, keep, bell tower",
        "lighthouse": "a lighthouse | lighthouse, beacon",
        "windmill": "a windmill | windmill, mill",
        "castle": "a medieval castle with towers | castle, fortress, citadel, stronghold",
        "ruin": (
            "ancient ruins of stone | ruin, temple, ruined temple, old temple, abbey, ruined abbey, "
            "ruined castle, ruined church, ruined tower"
        ),
        "house": (
            "a dwelling house | house, cottage, home, bungalow, villa, town house, "
            "terraced house, farm house, saloon"
        ),
        "bridge": "a bridge over water | bridge, footbridge, suspension bridge",
        "dock": "a wooden jetty on the water | dock, jetty, pier, landing stage, boardwalk, wharf",
        "fence": "a wooden fence | fence, railing, picket fence, paling",
        "bench": "a wooden bench | bench, park bench",
        "boat": "a rowing boat | boat, rowboat, canoe, rowing boat, dinghy, skiff",
        "tent": "a camping tent | tent, campsite, camp, teepee, tipi, yurt",
        "campfire": "a campfire with flames | campfire, bonfire, camp fire, firepit, fire pit",
        "lantern": ("lanterns on posts | lantern, paper lantern, oil lantern"),
        "torii": "a japanese torii gate | torii, torii gate, shrine gate",
        "well": "a stone well | well, stone well, wishing well",
        "signpost": "a wooden signpost | signpost, sign, signboard, waymarker",
        "statue": "a statue | statue, sculpture, monument",
        "path": "a footpath | path, trail, track, footpath, walkway, lane, dirt road, road, street, highway",
        "lake": "a lake | lake, tarn, loch, pond, reservoir, water, pool, mere, watering hole, waterhole",
        "river": "a flowing river or brook | river, stream, brook, creek, rivulet, canal",
        "sea": "the sea | sea, ocean, surf, wave",
        "waterfall": "a waterfall | waterfall, cascade",
        "mountains": (
            "mountains in the distance | distant mountain, mountain range, mountains in the distance, "
            "mountains behind, hill, hilltop, rolling hill, snowy peak, snow capped peak, snow capped "
            "mountain, snow capped summit"
        ),
        "sofa": "a sofa or couch | sofa, couch, settee, loveseat, chesterfield, divan",
        "armchair": "an armchair | armchair, easy chair, wing chair, recliner, reading chair, club chair",
        "chair": "chairs | chair, dining chair, seat, stool",
        "dining_table": "a dining table | table, dining table, kitchen table",
        "coffee_table": "a coffee table | coffee table, low table, side table, end table",
        "cafe_table": "a cafe table | cafe table, bistro table",
        "bench_seat": "a bench seat | bench seat, window seat",
        "desk": "a desk | desk, writing desk, workbench, work bench, bureau, writing table, work table",
        "bed": "a bed | bed, double bed, four poster, bunk, mattress, cot",
        "bookshelf": (
            "bookshelves full of books | bookshelf, bookshelves, bookcase, shelf, shelves, book, novel, "
            "shelf of books, shelves of books, bookshelf of books, shelves full of books, wall of books, "
            "books on shelves"
        ),
        "rug": "a carpet or rug | rug, carpet, mat, kilim",
        "floor_lamp": (
            "a floor lamp | lamp, floor lamp, standing lamp, lampshade, lamplight, lamp light, lights"
        ),
        "table_lamp": "a table lamp | table lamp, desk lamp, reading lamp, bedside lamp",
        "pendant_lamp": (
            "a ceiling lamp or chandelier | pendant lamp, chandelier, ceiling lamp, pendant light, "
            "hanging lamp"
        ),
        "plant": (
            "a potted house plant | plant, houseplant, house plant, potted plant, indoor plant, monstera,"
            " ficus, greenery, pot plant, fern in a pot"
        ),
        "picture": (
            "pictures on the wall | picture, painting, poster, artwork, art, framed picture, portrait, "
            "photograph, print, canvas"
        ),
        "fireplace": (
            "a fireplace with burning logs | fireplace, hearth, chimney, open fire, log fire, wood stove,"
            " stove, fire, crackling fire, roaring fire, fireside"
        ),
        "window": "a window | window, bay window, windows, skylight, window view, windowsill, window sill",
        "curtain": "curtains | curtain, drape, drapes, drapery",
        "cushion": "cushions | cushion, pillow, throw pillow",
        "nightstand": "a bedside table | nightstand, bedside table, night table",
        "wardrobe": "a wardrobe or cupboard | wardrobe, closet, cupboard, cabinet, armoire",
        "sideboard": (
            "a sideboard or chest of drawers | sideboard, dresser, chest of drawers, commode, credenza, "
            "console table"
        ),
        "counter": "a kitchen counter | counter, kitchen counter, worktop, sink, kitchen island",
        "wall": "the walls of a room | wall, wallpaper, panelling, paneling",
        "floor": "the floor | floor, floorboard, wooden floor, parquet, flooring, hardwood floor",
        "ceiling": "the ceiling | ceiling",
        "door": "a door | door, doorway, sliding door, airlock, hatch, bulkhead, double door",
        "sculpture": "a sculpture on a plinth | plinth, pedestal, vase, pottery, bust",
    },
    "time": {
        "dawn": (
            "early morning dawn at sunrise | dawn, sunrise, daybreak, first light, early morning, "
            "morning, early light, break of day"
        ),
        "day": (
            "bright midday daylight | day, noon, midday, daytime, daylight, afternoon, sunlit, sunlight, "
            "sun, sunbeam, broad daylight, high noon, by day"
        ),
        "dusk": (
            "dusk, twilight after sunset | dusk, twilight, sunset, evening, late evening, sundown, golden"
            " hour, late afternoon, gloaming, nightfall, blue hour, low sun, golden light, setting sun"
        ),
        "night": (
            "night with stars and moonlight | night, midnight, moonlight, moonlit, starry, star, moon, "
            "after dark, milky way, starlight, starlit, nocturnal, night sky, full moon"
        ),
    },
    "weather": {
        "clear": (
            "clear blue sky, sunny weather | clear, sunny, cloudless, blue sky, clear sky, fair weather, "
            "sunshine, bright sun, fine weather"
        ),
        "overcast": (
            "overcast grey cloudy sky | overcast, cloudy, gloomy, cloud, grey sky, gray sky, dull "
            "weather, leaden sky"
        ),
        "fog": "mist and fog | fog, foggy, mist, misty, haze, hazy, smoky, fogbound, mist covered, murky",
        "rain": (
            "rain falling | rain, rainy, raining, drizzle, storm, stormy, downpour, wet, thunderstorm, "
            "drizzly, rainstorm, shower"
        ),
        "snow": (
            "snow falling | snow, snowy, snowfall, snowing, snowstorm, blizzard, snow covered, snowbound,"
            " snow capped, frosty, frost, snowed in"
        ),
    },
    "season": {
        "spring": "spring season | spring, springtime, vernal, april, easter",
        "summer": "summer season | summer, summertime, summery, midsummer, june, july, august",
        "autumn": (
            "autumn fall leaves, orange foliage | autumn, autumnal, fall, fall colours, fall colors, "
            "golden leaves, autumn leaves, indian summer, september, october, november"
        ),
        "winter": "winter season, cold | winter, wintry, midwinter, wintertime, december, january, february",
    },
    "style": {
        "cozy": (
            "cosy warm homely mood | cozy, cosy, homely, warm, inviting, comfortable, comfy, hygge, "
            "welcoming, intimate"
        ),
        "rustic": (
            "rustic old-fashioned farmhouse | rustic, old, vintage, weathered, antique, traditional, "
            "country style, old fashioned, victorian, worn, aged"
        ),
        "minimal": (
            "minimalist modern scandinavian design | minimal, minimalist, modern, scandinavian, nordic, "
            "sleek, contemporary, simple, japandi, clean, uncluttered"
        ),
        "eerie": (
            "eerie spooky haunted mood | eerie, spooky, haunted, creepy, ominous, sinister, dark, "
            "abandoned, mysterious, derelict, dim"
        ),
        "fantasy": (
            "magical fantasy enchanted mood | magical, fantasy, enchanted, fairytale, fairy tale, "
            "mystical, dreamy, dreamlike, whimsical, ethereal"
        ),
        "serene": (
            "serene calm peaceful mood | serene, calm, peaceful, quiet, tranquil, still, silent, gentle, "
            "soft, restful, sleepy, idyllic"
        ),
        "bright": (
            "bright airy full of light | bright, airy, light, light filled, sun drenched, cheerful, "
            "vivid, colourful, colorful, vibrant"
        ),
        "lush": "lush green overgrown vegetation | lush, overgrown, verdant, dense, leafy, wild",
        "grand": (
            "grand elegant luxurious | grand, elegant, luxurious, majestic, stately, opulent, palatial"
        ),
    },
    # Descriptions of things.
    "material": {
        "wooden": (
            "made of wood | wooden, timber, oaken, wood panelled, wood paneled, made of wood, walnut, "
            "teak, bamboo, mahogany"
        ),
        "stone": "made of stone | made of stone, of stone, stony, rocky, granite, marble, cobbled, slate",
        "brick": "made of brick | brick, brickwork",
        "leather": "made of leather | leather",
        "fabric": (
            "made of woven cloth | velvet, linen, woollen, woolen, wool, fabric, cotton, knitted, woven, "
            "corduroy"
        ),
        "metal": "made of metal | metal, iron, steel, brass, copper, bronze, metallic, wrought iron",
        "glass": "made of glass | glass",
        "tiled": "covered with tiles | tiled, tile",
        "sandy": "covered with sand | sandy, sand, white sand",
        "mossy": "covered with moss | mossy, moss covered, moss",
        "grassy": "covered with grass | grassy, turfed",
        "persian": "persian or oriental pattern | persian, oriental, patterned",
        "rope": "made of ropes | rope",
        "broken": "broken in pieces | broken, crumbling, shattered, headless",
        "overhanging": "leaning out over what is below | overhanging, sheer, steep",
        "frozen": "frozen to ice | frozen, icy, ice, ice covered, iced over, frozen over",
    },
    "colour": {
        "red": "red | red, crimson, scarlet, ruby, burgundy, maroon, vermilion",
        "orange": "orange | orange, terracotta, rust, amber, apricot",
        "yellow": "yellow | yellow, golden, mustard, lemon, ochre, gold",
        "green": "green | green, emerald, olive, sage, mint, jade, forest green, dark green, light green",
        "teal": "teal | teal, turquoise, cyan, aqua",
        "blue": "blue | blue, navy, azure, cobalt, indigo, sky blue, dark blue, light blue, navy blue",
        "purple": "purple | purple, violet, lilac, plum, mauve",
        "pink": "pink | pink, rose coloured, salmon, magenta, blush",
        "brown": "brown | brown, chestnut, chocolate, tan, caramel, tawny",
        "white": "white | white, ivory, whitewashed, pale, off white",
        "cream": "cream | cream, beige, sand coloured",
        "grey": "grey | grey, gray, silver, ash",
        "black": "black | black, charcoal, ebony, jet black",
    },
    "extent": {
        "small": "small | small, little, tiny, miniature, compact, petite, narrow",
        "large": (
            "large | large, big, huge, giant, enormous, vast, spacious, wide, massive, immense, gigantic,"
            " sprawling, great, broad"
        ),
        "tall": "tall | tall, high, towering, lofty, soaring",
        "round": "round | round, circular, oval",
    },
}

_IRREGULAR = {
    "leaves": "leaf",
    "shelves": "shelf",
    "bookshelves": "bookshelf",
    "cacti": "cactus",
    "knives": "knife",
    "wolves": "wolf",
    "men": "man",
    "women": "woman",
    "children": "child",
    "people": "person",
    "woods": "woods",
    "lights": "lights",  # lamps; "light" alone describes
    "canvas": "canvas",
    "canvases": "canvas",
}


@dataclass(frozen=True, slots=True)
class Concept:
    """One meaning: a slot of the brief and its value."""

    slot: str
    name: str
    gloss: str  # a sentence-like description, for comparing meanings


def singular(word: str) -> str:
    """Return the singular of a lower-case English noun; other words come back unchanged or harmlessly cut."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ches", "shes", "sses", "xes", "zes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


@cache
def concepts() -> tuple[Concept, ...]:
    """Return every concept: those of the table in its order, then what the worlds build beyond it."""
    known = [
        Concept(slot, name, entry.split(" | ")[0])
        for slot, names in _TABLE.items()
        for name, entry in names.items()
    ]
    names = {concept.name for concept in known}
    built = [(slot, name, words) for slot, name, words in _built() if name not in names]
    return (*known, *(Concept(slot, name, f"a {' or '.join(words[:3])}") for slot, name, words in built))


@cache
def entries() -> dict[tuple[str, ...], Concept]:
    """Return word sequences (one to four words, singular) and their concept; the first in the table wins.

    What the vocabulary calls a thing comes last, so that a new kind is understood by its own table alone.
    """
    found: dict[tuple[str, ...], Concept] = {}
    by_name = {(concept.slot, concept.name): concept for concept in concepts()}
    for slot, names in _TABLE.items():
        for name, entry in names.items():
            for phrase in entry.split(" | ")[1].split(", "):
                words = tuple(singular(word) for word in phrase.split())
                found.setdefault(words, by_name[slot, name])
    grammar = FUNCTION_WORDS | NEGATIONS | set(NUMBERS)
    for slot, name, phrases in _built():
        concept = by_name.get((slot, name))
        if concept is None:
            continue
        for phrase in phrases:
            words = tuple(singular(word) for word in phrase.split())
            if words[0] not in grammar or len(words) > 1:
                found.setdefault(words[:LONGEST_ENTRY], concept)
        # A canyon that can be built is no longer a kind of desert.
        own = tuple(singular(word) for word in name.split("_"))
        if " ".join(name.split("_")) not in phrases:  # "an alpine lake" is a lake, too
            continue
        known = found.setdefault(own, concept)
        if tuple(singular(word) for word in known.name.split("_")) != own:
            found[own] = concept
    return found


def _built() -> list[tuple[str, str, tuple[str, ...]]]:
    """Return slot, name and words of everything the worlds build."""
    places = [
        ("room" if place.is_indoor else "setting", place.name, place.words) for place in SETTINGS.values()
    ]
    return [*places, *(("element", kind.name, kind.words) for kind in VOCABULARY.values())]


LONGEST_ENTRY = 4  # words
