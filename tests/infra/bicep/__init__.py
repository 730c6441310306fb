"""The Bicep of `infra/`, checked and evaluated without a compiler and without Azure.

Reading order: `syntax` and `declarations` (what a file says), `expressions` and `reading` (from text to that), `shapes`
(what Azure takes), `kinds` (of values), the checks (`symbols`, `timing`, `bodies`, `modules`, `leaks`, `rules`, all of
them in `checking`). Then `functions`, `evaluating`, `references`, `surroundings` and `deploying` (what a deployment
would make of the files), `parameters` (what it may be given), `placeholders` (what only Azure knows), `arm` (the same
for other tools). `samples` is for the tests of all these; `tollgate` and `cases` are for those of the project's own
files: `test_templates`, `test_app_settings`, `test_resources`, `test_stopping`.
"""
