-- SPDX-License-Identifier: MIT
-- p99.lua - for wrk -s: the latency that 99 % of the answers kept to, in microseconds.
done = function(_, latency, _)
	io.write(string.format("\np99_us %.0f\n", latency:percentile(99)))
end
