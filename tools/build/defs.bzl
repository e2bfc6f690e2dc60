"""The shape of every library, test, program and benchmark here."""

def plumb_cc_test(name, srcs, deps = [], data = [], copts = [], **kwargs):
    """A GoogleTest. It finds the workspace (and real data beside it) through //:WORKSPACE: see common/testing."""
    native.cc_test(
        name = name,
        srcs = srcs,
        copts = ["-O1"] + copts,  # a third less time to compile
        deps = deps + ["//third_party:gtest_main"],
        data = data + ["//:WORKSPACE"],
        **kwargs
    )

def plumb_cc_benchmark(name, srcs, deps = [], **kwargs):
    """A Google Benchmark program; run it with `bazel run`."""
    native.cc_binary(
        name = name,
        srcs = srcs,
        testonly = True,
        deps = deps + ["//third_party:benchmark"],
        **kwargs
    )

def embed_text(name, src, symbol):
    """A library whose header NAME.h holds the text of `src` as `inline constexpr char SYMBOL[]` (no NUL or ')embedded"' inside)."""
    native.genrule(
        name = name + "_header",
        srcs = [src],
        outs = [name + ".h"],
        cmd = "{ echo 'inline constexpr char %s[] = R\"embedded('; cat $<; echo ')embedded\";'; } > $@" % symbol,
    )
    native.cc_library(name = name, hdrs = [name + ".h"])
