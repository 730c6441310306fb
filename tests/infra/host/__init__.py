"""The functions host, against small apps that show one rule each."""
