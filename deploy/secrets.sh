#!/usr/bin/env bash
# Makes the secrets of a cluster, at random, below a new folder: one folder per Secret, one file per key, and secrets.yaml with all of
# them for 'kubectl apply -f'. Usage: deploy/secrets.sh FOLDER [NAMESPACE]
#
# FOLDER/operator.token and FOLDER/submitter.token are for people: 'ventral submit --token-file'. Keep the folder out of version control.
set -euo pipefail
folder=${1:?usage: deploy/secrets.sh FOLDER [NAMESPACE]}
namespace=${2:-ventral}
[ ! -e "$folder" ] || { echo "$folder is there already: secrets are not overwritten" >&2; exit 1; }
umask 077
mkdir -p "$folder"/{ventral-redis,ventral-redis-users,ventral-tokens}

random() { head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
sha256() { printf '%s' "$1" | sha256sum | cut -d' ' -f1; }

password=$(random)
printf 'redis://ventral:%s@redis:6379/0' "$password" > "$folder/ventral-redis/url"
# Only the keys of the queue, nothing that administers the server. The default user lets nobody in, but needs its rights: as it the server
# replays its append-only file after a restart, and drops every transaction of it that the user may not run.
cat > "$folder/ventral-redis-users/users.acl" <<ACL
user default off resetpass ~* &* +@all
user ventral on #$(sha256 "$password") ~{ventral}* &* +@all -@admin -@dangerous +info
ACL

operator=$(random) submitter=$(random)
printf '%s' "$operator" > "$folder/operator.token"
printf '%s' "$submitter" > "$folder/submitter.token"
cat > "$folder/ventral-tokens/tokens.toml" <<TOML
[[token]]
name = "operator"
tenant = "lab"
role = "operator"
sha256 = "$(sha256 "$operator")"

[[token]]
name = "submitter"
tenant = "lab"
role = "submitter"
sha256 = "$(sha256 "$submitter")"
TOML

{
  for secret in ventral-redis ventral-redis-users ventral-tokens; do
    printf -- '---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: %s\n  namespace: %s\ntype: Opaque\ndata:\n' "$secret" "$namespace"
    for file in "$folder/$secret"/*; do
      printf '  %s: %s\n' "$(basename "$file")" "$(base64 < "$file" | tr -d '\n')"
    done
  done
} > "$folder/secrets.yaml"
echo "$folder/secrets.yaml: kubectl apply -f; tokens for people beside it"
