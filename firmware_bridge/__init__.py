"""What the server and a loudspeaker node owe each other, and both ends of it."""
