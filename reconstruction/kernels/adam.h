// One Adam step over the splats in view, from gradients of activated values to unconstrained ones and back.
#pragma once
#include <algorithm>

#include "frame.h"

struct AdamStep {
  float rate[11];               // of each geometric row; of means as a share of the splat's mean scale
  float sh_rate, sh_rest_rate;  // degree 0; higher degrees
  float beta1, beta2, epsilon;
  float correction1, correction2;        // 1 - beta^t
  float opacity_weight, scale_weight;    // added to the gradient of opacity and scales: pulls both to zero
  float scale_max;                       // metres
};

// `raw` rows: log-scales (3), opacity logit. `first` and `second` are laid out like `params`.
static void adam(WorkerPool &pool, const AdamStep &step, int64_t count, int64_t stride, int rows, float *params,
                 float *raw, const float *gradients, float *first, float *second, const uint8_t *visible) {
  const float inv_root = 1.f / std::sqrt(step.correction2);
  pool.run((int)((count + kChunk - 1) / kChunk), [&](int chunk) {
    int64_t begin = (int64_t)chunk * kChunk, end = std::min(count, begin + kChunk);
    for (int64_t i = begin; i < end; i += LANES) {
      int lanes = (int)std::min<int64_t>(LANES, end - i);
      vi moved{};
      bool any = false;
      for (int l = 0; l < lanes; l++)
        if (visible[i + l]) moved[l] = -1, any = true;
      if (!any) continue;
      auto move = [&](int row, float *value, vf gradient, vf rate) {
        float *m = first + row * stride + i, *v = second + row * stride + i;
        vf m1 = step.beta1 * load(m) + (1.f - step.beta1) * gradient;
        vf v1 = step.beta2 * load(v) + (1.f - step.beta2) * gradient * gradient;
        vf old = load(value);
        vf now = old - (rate / step.correction1) * m1 / (vsqrt(v1) * inv_root + step.epsilon);
        store(m, choose(moved, m1, load(m)));
        store(v, choose(moved, v1, load(v)));
        now = choose(moved, now, old);
        store(value, now);
        return now;
      };
      vf size = load(params + kScale * stride + i) + load(params + (kScale + 1) * stride + i) +
                load(params + (kScale + 2) * stride + i);
      for (int row = 0; row < rows; row++) {
        vf gradient = load(gradients + row * stride + i);
        float *activated = params + row * stride + i;
        if (row >= kScale && row < kQuat) {
          float *log_scale = raw + (row - kScale) * stride + i;
          vf s = load(activated);
          vf now = move(row, log_scale, (gradient + step.scale_weight) * s, splat(step.rate[row]));
          now = vclamp(now, splat(-16.f), splat(std::log(step.scale_max)));
          store(log_scale, now);
          store(activated, choose(moved, vexp(now), s));
        } else if (row == kOpacity) {
          float *logit = raw + 3 * stride + i;
          vf o = load(activated);
          vf now = move(row, logit, (gradient + step.opacity_weight) * o * (1.f - o), splat(step.rate[row]));
          now = vclamp(now, splat(-12.f), splat(12.f));
          store(logit, now);
          store(activated, choose(moved, 1.f / (1.f + vexp(-now)), o));
        } else {
          vf rate = row < kScale    ? size * (step.rate[row] / 3.f)
                    : row < kSh     ? splat(step.rate[row])
                    : row < kSh + 3 ? splat(step.sh_rate)
                                    : splat(step.sh_rest_rate);
          move(row, activated, gradient, rate);
        }
      }
    }
  });
}
