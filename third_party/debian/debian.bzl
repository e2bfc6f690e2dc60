"""Checks that the Debian packages in packages.txt are installed, and new enough."""

def _debian_packages_impl(ctx):
    result = ctx.execute([
        "bash",
        str(ctx.path(Label("//third_party/debian:check.sh"))),
        str(ctx.path(ctx.attr.packages)),
    ])
    if result.return_code:
        fail("\n\n" + result.stderr.strip() + "\n")
    ctx.file("BUILD", "")
    ctx.file("versions.bzl", "VERSIONS = \"\"\"\n%s\"\"\"\n" % result.stdout)

debian_packages = repository_rule(
    implementation = _debian_packages_impl,
    attrs = {"packages": attr.label(allow_single_file = True, mandatory = True)},
    local = True,
)
