"""Pictures for devices that can only show pictures: the server walks and draws. No sockets here, no torch."""
