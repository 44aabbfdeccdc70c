"""Every size, count and time limit of this package, with its reason."""

from __future__ import annotations

# --- Wire -------------------------------------------------------------------------------------------

# A client has nothing longer to say than the hashes it holds; 8 bytes each, so 8000 chunks.
MAX_CLIENT_MESSAGE_BYTES = 64 * 1024

# TREE carries 62 bytes per chunk; past 20 000 chunks (1.2 MB) it would need pages of its own.
MAX_CHUNKS = 20_000

# A manifest travels whole before the scene can be walked; it holds a camera path, never splats.
MAX_MANIFEST_BYTES = 1024 * 1024

# Credit beyond this only fills the kernel's buffers with bytes that a turn of the head makes stale
# (1 MB window: 450 ms until the first chunk of the new view).
MAX_CREDIT_BYTES = 4 * 1024 * 1024

# A pose further out than this is a mistake: float32 steps are already 8 mm there.
MAX_POSE_METRES = 100_000.0

# More splats than any browser draws; a larger budget is a mistake, not a wish.
MAX_BUDGET_SPLATS = 50_000_000

# Messages a viewer may send: poses come at 10 Hz and credits at one per chunk.
CLIENT_MESSAGES_PER_SECOND = 60
CLIENT_MESSAGE_BURST = 120
