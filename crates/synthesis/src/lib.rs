//! The mathematics of images whose layers tell themselves apart.
