"""ARCHITECTURE.md and CONTRIBUTING.md stand at the top of the repository and are pages of the book too (mkdocs.yml, `hooks`)."""

from mkdocs.structure.files import File

TOP_LEVEL = ("ARCHITECTURE.md", "CONTRIBUTING.md")


def on_files(files, config):
    for name in TOP_LEVEL:
        files.append(File.generated(config, name, abs_src_path=name))
    return files


def on_page_markdown(markdown, page, **_):
    """Links are written for the repository, where the two are beside docs/; in the book they are among its pages."""
    if page.file.src_uri in TOP_LEVEL:
        return markdown.replace("](docs/", "](")
    root = "../" * page.file.src_uri.count("/")
    for name in TOP_LEVEL:
        markdown = markdown.replace(f"]({root}../{name}", f"]({root}{name}")
    return markdown
