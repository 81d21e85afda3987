//! Decodes untrusted files into checked, labelled arrays
