# Keeps what is built (`cargo tree`, in $tree) of a CycloneDX document, which has optional libraries that are off, too. Folders
# of the computer that built it are left out.
($tree | split("\n") | map(rtrimstr("\r") | split(" ") | .[0:2] | join(" "))) as $built
| .components |= map(select("\(.name) v\(.version)" | IN($built[])))
| ([.metadata.component, .components[]] | map(."bom-ref")) as $kept
| .dependencies |= map(select(.ref | IN($kept[])) | if .dependsOn then .dependsOn |= map(select(IN($kept[]))) else . end)
| walk(if type == "string" then gsub("path\\+file://[^#]*#"; "") | gsub("\\?download_url=file://[^#]*"; "") else . end)
