//! Generated wire types and their conversions.
