//! [`conformance!`](crate::conformance): a `#[test]` for each test of the contract, in one kind of world.

/// Makes a `#[test]` of each test of the contract. The first argument is a function that makes a world.
///
/// What this kind of world lacks a capability for is listed, by name, and one test holds the list: no test becomes
/// inapplicable unseen.
#[macro_export]
macro_rules! conformance {
    ($world:path, not applicable: [$($name:literal),* $(,)?] $(,)?) => {
        fn run_case(name: &str) {
            $crate::run(&$world(), name);
        }

        $crate::every_case!($crate::make_tests);

        #[test]
        fn what_is_not_applicable_is_listed() {
            let listed: &[&str] = &[$($name),*];
            assert_eq!($crate::not_applicable(&$world()), listed);
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! make_tests {
    ($($topic:ident { $($name:ident $(needs $($need:ident)+)?,)* })*) => {
        $(
            mod $topic {
                $(
                    #[test]
                    fn $name() {
                        super::run_case(concat!(stringify!($topic), "::", stringify!($name)));
                    }
                )*
            }
        )*
    };
}
