# Reads what some addresses of each object are (`sites_of` of ci/instructions), then a profile of callgrind, and
# prints what one call is made of: a row of a table in Markdown, or with `where` each place and what is done there.
#
#   awk -v name=claim -v calls=16384 [-v where=1] -f ci/model.awk sites claim.callgrind
#
# A site is a line of three words: what it is, its address in digits as objdump writes them, and its object.

function number_of(digits,    value, i) {
    value = 0
    for (i = 1; i <= length(digits); i++) value = value * 16 + index("0123456789abcdef", substr(digits, i, 1)) - 1
    return value
}

# A name is written out the first time, then it stands as its number; also where it is only of a callee.
function named(text, names,    number) {
    number = substr(text, 1, index(text, ")"))
    if (length(text) > length(number)) names[number] = substr(text, length(number) + 2)
    return names[number]
}

FNR == NR { is[$3, number_of($2)] = $1; next }
/^ob=/ { object = named(substr($0, 4), objects); next }
/^cob=/ { named(substr($0, 5), objects); next }
/^fn=/ { here = named(substr($0, 4), functions); next }
/^cfn=/ { named(substr($0, 5), functions); next }
/^calls=/ { is_call = 1; next }
/^[+*0-9-]/ {
    # An address is told in full, or as its difference to the line before.
    if ($1 ~ /^0x/) address = number_of(substr($1, 3))
    else if ($1 != "*") address += $1
    # The line of a call has what its callee takes, whose own lines are elsewhere.
    if (!is_call) {
        instructions += $3
        if ((object, address) in is) {
            kind = is[object, address]
            sum[kind] += $3
            at[sprintf("%-7s in %s at %x", kind, here, address)] += $3
        }
    }
    is_call = 0
}

END {
    if (where) {
        for (place in at)
            if (at[place] >= calls / 20) printf "%9.2f  %s\n", at[place] / calls, place | "LC_ALL=C sort -rn"
        exit
    }
    printf "| `%s` | %d |", name, instructions / calls + 0.5
    split("locked taken freed clock kernel", kinds, " ")
    for (i = 1; i in kinds; i++) printf " %.2f |", sum[kinds[i]] / calls
    printf "\n"
}
