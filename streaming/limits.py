"""Every size, count and time limit of this package, with its reason."""

from __future__ import annotations

# --- Wire -------------------------------------------------------------------------------------------

# A client has nothing longer to say than the hashes it holds; 8 bytes each, so 8000 chunks.
MAX_CLIENT_MESSAGE_BYTES = 64 * 1024

# TREE carries 58 bytes per chunk; past 20 000 chunks (1.2 MB) it would need pages of its own.
MAX_CHUNKS = 20_000

# A manifest travels whole before the scene can be walked; it holds a camera path, never splats.
MAX_MANIFEST_BYTES = 1024 * 1024

# Doorways of one place; a visitor who sees more than a handful no longer chooses.
MAX_PORTALS = 16
# Voices that a phone mixes without a stutter; a place is told by five.
MAX_SOUNDS = 16
# A minute of stereo Opus at 96 kb/s; loops of twelve seconds take a tenth of it.
MAX_SOUND_BYTES = 1024 * 1024
MAX_TITLE_CHARACTERS = 200  # a line in a list, not a text
MAX_CREDIT_CHARACTERS = 500  # a licence with its address, or the names of a few people; the text is elsewhere

# Credit beyond this only fills the kernel's buffers with bytes that a turn of the head makes stale
# (1 MB window: 450 ms until the first chunk of the new view).
MAX_CREDIT_BYTES = 4 * 1024 * 1024

# A pose further out than this is a mistake: float32 steps are already 8 mm there.
MAX_POSE_METRES = 100_000.0

# More splats than any browser draws; a larger budget is a mistake, not a wish.
MAX_BUDGET_SPLATS = 50_000_000

# Messages a viewer may send, besides one CREDIT for each chunk that it received: poses come at 10 Hz.
CLIENT_MESSAGES_PER_SECOND = 60
CLIENT_MESSAGE_BURST = 120

# People who see each other in one scene; the table of who was shown whom is its square. Beyond, one only
# looks on: nobody tells 256 figures apart.
MAX_PEOPLE_IN_ROOM = 256
MAX_PERSON_NAME_CHARACTERS = 24  # a line over a head
MAX_PERSON_NAME_BYTES = 256  # on the wire, before it is made fit to be shown
PRESENCE_TICKS_PER_SECOND = 20
MAX_SAID_CHARACTERS = 200  # a note, read while one stands there
MAX_SAID_BYTES = 1600  # on the wire

# --- Files ------------------------------------------------------------------------------------------

# Nothing larger is read whole into memory; 20 M splats in the widest format (PLY, degree 3) are 5 GB.
MAX_FILE_BYTES = 6 * 2**30

# The largest public captures hold 6 to 10 M splats; 20 M are 1.1 GB at degree 0 once decoded.
MAX_SPLATS_PER_FILE = 20_000_000

# What one compressed file or chunk may expand to, whatever it claims.
MAX_INFLATED_BYTES = 2 * 2**30

# Deflate cannot do better than 1032 to 1, so a count beyond this ratio is a lie.
MAX_DEFLATE_RATIO = 1032

# The JSON of a scene with thousands of nodes stays under a tenth of it.
MAX_GLTF_JSON_BYTES = 32 * 2**20
MAX_GLTF_NODES = 100_000

# What a scene extension holds is a manifest (MAX_MANIFEST_BYTES); a recipe is six deep, reports are two.
MAX_SCENE_DEPTH = 32
# Ours has 30 000, a hosted one 200 000; a page sorts a million into its grid in seconds.
MAX_COLLIDER_TRIANGLES = 1_000_000

# A PLY header of a thousand properties stays under it.
MAX_PLY_HEADER_BYTES = 64 * 2**10

# A million equal splats of SPZ deflate to 20 KB and unpack to a quarter of a gigabyte. Real files spend 14
# bytes on a splat; small ones may be of any kind.
MAX_SPZ_SPLATS_PER_BYTE = 4
ANY_SPZ_SPLATS = 65_536

# A meta.json is three codebooks (15 KB); a lod-meta.json has one line for each of thousands of leaves.
MAX_SOG_META_BYTES = 8 * 2**20
MAX_SOG_ENTRIES = 64  # files in a bundle; eight are used
MAX_SOG_FOLDERS = 4096  # of one lod-meta.json, 512 000 splats each
MAX_SOG_LEAVES = 200_000

# Real files spend five bytes or more on a splat; a picture of one colour spends none on millions.
MAX_SOG_SPLATS_PER_BYTE = 16

# A tileset.json lists about 150 bytes for a tile; the largest public ones have some thousands.
MAX_TILES = 20_000
MAX_TILE_DEPTH = 64  # levels of tiles, those of tilesets inside tilesets with them
