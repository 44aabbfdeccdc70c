"""Every limit of the server, with its reason. Measured figures: see the reference of the stream."""

from __future__ import annotations

# A request is a line, some headers and at most a small JSON body; nobody needs longer to send it, and
# without a limit 300 half-sent requests stay for ever.
REQUEST_DEADLINE_S = 5.0
MAX_REQUEST_BYTES = 64 * 1024

# A download that takes nothing for this long is abandoned.
WRITE_STALL_S = 30.0

# Bytes in the kernel cannot be taken back when the viewer turns its head, and 300 viewers that do not
# read would hold 1.2 GB of them.
SEND_BUFFER_BYTES = 256 * 1024
# What TCP has not sent yet waits here, where no newer pose reorders it and a PONG stands behind it: with
# 128 KB a turn of the head took 276 ms at 20 Mbit/s and 40 ms to bring a chunk of the new view. Enough for
# the server to be busy for some milliseconds while the line stays full.
NOT_SENT_S = 0.01
NOT_SENT_LEAST_BYTES = 16 * 1024
NOT_SENT_MOST_BYTES = 128 * 1024
WRITE_HIGH_WATER_BYTES = 16 * 1024  # the same for what asyncio holds
AT_ONCE_BYTES = 16 * 1024  # small messages go together until there are so many bytes of them

# WebSocket frames of any kind from one viewer. A CREDIT for each 8 KB of 100 Mbit/s makes 1,500 a second.
FRAMES_PER_SECOND = 2_000
FRAME_BURST = 4_000
MAX_FRAGMENTS = 64  # of one message; browsers send none, proxies a few
PARSED_AT_ONCE_BYTES = 4 * 1024

# Presence is written beside the stream while no more than this waits; beyond, it would come too late.
ASIDE_ALLOWANCE_BYTES = 16 * 1024
NOTES_PER_SECOND = 0.5  # that one person may say to the others
NOTE_BURST = 4
PRESENCE_MESSAGES_PER_SECOND = 25  # 20 poses by a clock that is not ours, and a note now and then
PRESENCE_MESSAGE_BURST = 120  # poses that a line held back for some seconds come all at once

SERVER_SILENCE_S = 3.0  # after which the people of another server are gone; it speaks every second
BUS_DEADLINE_S = 2.0  # for Redis to take what is said
BUS_RETRY_S = 1.0

HELLO_DEADLINE_S = 5.0  # from the upgrade to the first credit
CREDIT_DEADLINE_S = 30.0  # without credit while chunks wait, or without reading what is sent
POLL_S = 20.0  # an answer of the stream without sockets that has nothing to say; proxies give up after 30 s
POLL_GAP_S = 15.0  # from the end of one answer to the next request, before the viewer counts as gone
CLOSE_DEADLINE_S = 2.0  # for the other side to take our goodbye
DRAIN_DEADLINE_S = 2.0  # for viewers to leave before the process does
REVOCATION_CHECK_S = 0.5  # a revoked viewer is gone within a second

TICKET_LIFETIME_S = 60.0
BEARER_LIFETIME_S = 3600.0
MAX_GRANTS = 20_000  # tickets and bearers in memory; the oldest go first

MAX_SOCKETS = 1_000
MAX_SOCKETS_PER_ADDRESS = 20
OPENS_PER_MINUTE = 60  # per address
PASSWORDS_PER_MINUTE = 10  # per link, whoever tries; a password of four digits lasts for hours
PASSWORDS_AT_ONCE = 2  # each takes 64 MiB and a core for 0.1 s
REMIXES_PER_HOUR = 20  # per link; each is a pack on the disk
PAIRING_LIFETIME_S = 600.0
PAIRINGS_PER_MINUTE = 5  # tries per address
ALL_PAIRINGS_PER_MINUTE = 60  # tries of all addresses: codes are short
MAX_PAIRING_CODES = 1_000
MAX_ADDRESSES = 10_000  # remembered for rate limits
MAX_CONNECTIONS = 1_500  # of any kind; beyond, uvicorn answers 503
# So that no single address can have all of them: a page uses a dozen, and sockets are limited already.
MAX_CONNECTIONS_PER_ADDRESS = 200
MAX_OPEN_FILES = 4_096  # connections, packs and the catalog

SCENES_IN_MEMORY = 8  # packs of 10 to 50 MB
RETRY_MS = 1_500  # told to viewers of a server that goes down
