# Reads a profile of callgrind, and prints what lies where, for one call: first the functions by what they and
# all that they call take, then by what they take themselves, then the lines of source. Code that was inlined
# counts for the function that it was inlined into; the lines show where it was written.
#
#   awk -v calls=16384 -v rows=40 -f ci/callgrind.awk claim.callgrind

# A name, which is written out the first time and then stands as its number.
function named(text, names,    number) {
    number = substr(text, 1, index(text, ")"))
    if (length(text) > length(number)) names[number] = substr(text, length(number) + 2)
    return names[number]
}

function function_of(text,    name) {
    name = named(text, functions)
    sub(/::h[0-9a-f]+$/, "", name)
    return name
}

function file_of(text,    name) {
    name = named(text, files)
    sub(/^\/rustc\/[0-9a-f]+\//, "", name)
    sub(/^.*\/registry\/src\/[^\/]*\//, "", name)
    sub("^" home "/", "", name)
    return name
}

BEGIN { home = ENVIRON["PWD"] }
/^fl=|^fi=|^fe=/ { file = file_of(substr($0, 4)); next }
/^cfi=|^cfl=/ { file_of(substr($0, 5)); next }
/^fn=/ { here = function_of(substr($0, 4)); next }
/^cfn=/ { callee = function_of(substr($0, 5)); next }
/^calls=/ { is_call = 1; next }
/^[+*0-9-]/ {
    # An address, a line, a count. Lines are told as differences to the one before.
    if ($2 ~ /^[+-]/) line += $2
    else if ($2 != "*") line = $2
    if (is_call && callee != here) whole[here] += $3
    if (!is_call) {
        whole[here] += $3
        self[here] += $3
        at[file ":" line "  in " here] += $3
    }
    is_call = 0
}

# Callgrind counts only within `counted_calls`, so what lies above it has the same costs.
function table(title, costs,    name, command) {
    command = "LC_ALL=C sort -rn | head -n " rows
    printf "\n==== %s\n", title
    fflush()
    for (name in costs)
        if (costs[name] >= calls / 2 && name !~ /^(\(below main\)|main|__libc_start|std::rt::|std::sys::backtrace|0x)/)
            printf "%9.1f  %s\n", costs[name] / calls, name | command
    close(command)
}

END {
    table("instructions of a function and of all that it calls", whole)
    table("instructions of a function alone", self)
    table("instructions of a line of source", at)
}
