"""Repositories made of files that PyPI packages carry (shared objects, headers, data), each pinned by SHA-256."""

def _use_home(ctx, home):
    """Links a folder of the user's own, after a look at its version, in place of the wheel's."""
    folder = ctx.path(home)
    header = folder
    for part in ctx.attr.home_version_header.split("/"):
        header = header.get_child(part)
    if not header.exists:
        fail("\n\nplumb: %s=%s has no %s; it should name an unpacked LibTorch %s\n" %
             (ctx.attr.home_variable, home, ctx.attr.home_version_header, ctx.attr.home_version))
    text = ctx.read(header)
    for name, number in zip(["MAJOR", "MINOR"], ctx.attr.home_version.split(".")):
        if "VERSION_%s %s\n" % (name, number) not in text:
            fail("\n\nplumb: %s=%s is of another version; %s is needed\n" %
                 (ctx.attr.home_variable, home, ctx.attr.home_version))
    ctx.symlink(folder.get_child("lib"), ctx.attr.home_folder + "/lib")
    for child in folder.get_child("include").readdir():
        if child.basename not in ctx.attr.hidden_headers:
            ctx.symlink(child, ctx.attr.home_folder + "/include/" + child.basename)
    beside = folder.dirname.get_child("nvidia")  # where pip puts the CUDA runtime that a wheel's LibTorch links
    if beside.exists:
        ctx.symlink(beside, "nvidia")

def _pypi_files_impl(ctx):
    home = ctx.os.environ.get(ctx.attr.home_variable, "") if ctx.attr.home_variable else ""
    if home:
        _use_home(ctx, home)
    else:
        result = ctx.execute([
            "bash",
            str(ctx.path(Label("//third_party/pypi:fetch.sh"))),
            str(ctx.path(ctx.attr.requirements)),
            "sdist" if ctx.attr.source_distribution else "wheel",
        ], timeout = 1800)
        if result.return_code:
            fail("\n\n" + result.stderr.strip() + "\n")
        for header in ctx.attr.hidden_headers:
            ctx.delete(ctx.attr.home_folder + "/include/" + header)
    ctx.symlink(ctx.attr.build_file, "BUILD")

pypi_files = repository_rule(
    implementation = _pypi_files_impl,
    attrs = {
        "requirements": attr.label(allow_single_file = True, mandatory = True),
        "build_file": attr.label(allow_single_file = True, mandatory = True),
        "source_distribution": attr.bool(),
        "home_variable": attr.string(doc = "environment variable that names a folder to use instead"),
        "home_folder": attr.string(),
        "home_version_header": attr.string(),
        "home_version": attr.string(),
        "hidden_headers": attr.string_list(),
    },
    environ = ["LIBTORCH_HOME"],
)
