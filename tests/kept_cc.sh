# sh kept_cc.sh FOLDER COMPILER SOURCE.c -o LIBRARY OPTIONS: what the compiler makes of a text is kept in the folder, for
# every process that asks for the same text with the same options; what it refuses is not.
folder=$1
shift
for word; do
    case $word in *.c) source=$word ;; *.so) library=$word ;; esac
done
kept=$folder/$({ printf '%s\n' "$@" | grep -vxF -e "$source" -e "$library"; cat "$source"; } | sha256sum | cut -c1-64)
if [ ! -e "$kept" ]; then
    "$@" || exit
    cp "$library" "$kept.$$" && exec mv "$kept.$$" "$kept"
fi
exec cp "$kept" "$library"
