// Gives the shared precompiled header an object to belong to.
