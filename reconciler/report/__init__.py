"""How a run tells what it found and did. Pure; the doors choose the form."""
