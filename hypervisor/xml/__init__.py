"""libvirt's documents: `build` writes them from specs, `parse` reads them into facts, `edit` changes them in place."""
