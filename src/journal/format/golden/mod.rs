//! The format, byte by byte: what was written once must be readable for ever.
//! What comes in: nothing; each test has its bytes.
//! A test that fails here has found a change of the format, which takes a new version number and not a
//! new constant.

mod audit;
mod damage;
mod frames;
mod manifests;
mod marks;
mod newer;
mod properties;
mod records;
mod samples;
mod version_1;
