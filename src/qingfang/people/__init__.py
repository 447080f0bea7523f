"""Persons, departments, posts, declared terminals, locations, roles, sign-in."""
