"""The shelf: published detectors of others, fetched by name and wrapped as bundles.

    cards/NAME.yaml      what is known of a detector: facts of its authors' own files, with sources
    <cache>/NAME/        what was fetched: files/, bundle/, verified.json, card.yaml of one's own

From then on ``NAME`` names a detector wherever one is asked for. `cards` reads the catalogue,
`place` knows the folder, `download` fetches, `graph` and `checkpoints` make a bundle of the files,
`fetch` joins them, `verify` compares scores with the authors' own.
"""
