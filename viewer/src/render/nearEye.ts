/**
 * Shrinks splats that come close to the eye, and leaves out those that touch it.
 *
 * A splat at arm's length fills the whole picture without showing anything, and a handful of them is what makes
 * frame rates collapse where one walks along a wall. Edits Spark's shader text, before the first frame.
 */

import type { SparkRenderer } from "@sparkjsdev/spark";

/** Whole from the first distance on, gone at the second; a visitor's body keeps 0.2 m from walls. */
const WHOLE_M = 0.25;
const GONE_M = 0.08;
const BEHIND = `if (viewCenter.z >= 0.0) {
        return;
    }`;

/** Returns false, leaving Spark as it was, when its shader is not the one that this edit knows. */
export function shrinkNearEye({ material }: SparkRenderer): boolean {
  const source = material.vertexShader;
  if (source.split(BEHIND).length !== 2 || !source.includes("vec3 center, scales")) return false;
  const [whole, gone] = [WHOLE_M.toFixed(3), GONE_M.toFixed(3)];
  material.vertexShader = source.replace(
    BEHIND,
    `${BEHIND}
    float nearEye = length(viewCenter);
    if (nearEye < ${gone}) {
        return;
    }
    scales *= clamp((nearEye - ${gone}) / (${whole} - ${gone}), 0.0, 1.0);`,
  );
  material.needsUpdate = true;
  return true;
}
