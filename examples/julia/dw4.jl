# Draws configurations of the double-well cluster DW-4 from a trained flow and reweights them to the Boltzmann
# distribution exp(-u):
#
#     julia --project=clients/julia/Eqflow examples/julia/dw4.jl model.eqf [n] [seed]
#
# prints what examples/c/dw4.c prints, from the same bits. Its syntax is checked; no Julia has run it yet.

using Eqflow
using Printf

const EXACT_LOG_Z = 29.66723

"Goes on with a CRC-32 (that of zip and PNG files) of the numbers' bytes, the least significant first."
function checksum(crc::UInt32, values)
    for value in values, k in 0:63
        low = (crc ⊻ (reinterpret(UInt64, value) >> k) % UInt32) & 1
        crc = (crc >> 1) ⊻ (low == 1 ? 0xedb88320 : 0x00000000)
    end
    crc
end

"Importance weights w = exp(-u - log p), scaled by the largest."
function report(u, log_prob)
    n, log_w = length(u), -u .- log_prob
    w = exp.(log_w .- maximum(log_w))
    effective, energy = sum(w)^2 / sum(abs2, w), sum(u) / n
    @printf("samples               %d\n", n)
    @printf("mean energy           %.5f +- %.5f\n", energy, sqrt(sum(abs2, u .- energy)) / n)
    @printf("effective sample size %.1f (%.2f %%)\n", effective, 100effective / n)
    log_z, error = maximum(log_w) + log(sum(w) / n), sqrt(1 / effective - 1 / n)
    @printf("log Z                 %.5f +- %.5f (exact %.5f)\n", log_z, error, EXACT_LOG_Z)
end

function main(arguments)
    path = arguments[1]
    n = length(arguments) > 1 ? parse(Int, arguments[2]) : 10000
    seed = length(arguments) > 2 ? parse(UInt64, arguments[3]) : UInt64(1)
    plan = Eqflow.Plan(Eqflow.Model(read(path)))
    x, log_prob = Eqflow.sample(plan; seed, n)
    u = Eqflow.energy(Eqflow.double_well(), x)
    report(u, log_prob)
    crc = foldl(checksum, (x, log_prob, u); init = typemax(UInt32))
    @printf("checksum              %08X\n", ~crc)
end

main(ARGS)
