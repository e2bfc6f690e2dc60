"""What an objective is to the build: NAME.{h,cc} and NAME_test.cc."""

load("//tools/build:defs.bzl", "plumb_cc_test")

def objectives(names):
    """A library and a test for each name, and `objectives`: all of them, which programs link."""
    for name in names:
        native.cc_library(
            name = name,
            srcs = [name + ".cc"],
            hdrs = [name + ".h"],
            alwayslink = True,  # it registers itself
            deps = [
                ":log_ratios",
                ":objective",
                "//third_party:libtorch",
            ],
        )
        plumb_cc_test(
            name = name + "_test",
            size = "small",
            srcs = [name + "_test.cc"],
            deps = [":" + name, ":objective_testing"] +
                   ([":dpo"] if name != "dpo" else []),  # to which many reduce
        )
    native.cc_library(
        name = "objectives",
        deps = [":" + name for name in names],
    )
